"""The interface's words, English and French: one table per language, by action, code and problem.

What a key's sentence names is in braces; a test holds both tables' keys and placeholders equal. A key ending in
`.you` is said when oneself acts, `.me` when oneself is the target, `.one` when `count` is 1.
JSON and logs are never translated.
"""

from tchat_client.language.choice import FOR_PROGRAMS, LANGUAGES, Language, choose

__all__ = ["FOR_PROGRAMS", "LANGUAGES", "Language", "choose"]
