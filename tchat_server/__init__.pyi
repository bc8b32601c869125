from tchat_server.chat import Chat as Chat
from tchat_server.misuse import *
from tchat_server.peer import Peer as Peer
from tchat_server.retention import Retention as Retention
from tchat_server.store.change import *
from tchat_server.store.event_log import EncodedPart as EncodedPart
from tchat_server.store.event_log import EventLog as EventLog
from tchat_server.store.event_log import LogUnavailable as LogUnavailable
from tchat_server.store.event_log import LogUnusable as LogUnusable
from tchat_server.store.event_log import NamePage as NamePage
from tchat_server.store.event_log import Page as Page
from tchat_server.store.event_log import Ready as Ready
from tchat_server.store.event_log import Removed as Removed
from tchat_server.store.event_log import RemovesOld as RemovesOld
from tchat_server.store.event_log import UserRow as UserRow
from tchat_server.store.memory import MemoryLog as MemoryLog
from tchat_server.store.sqlite.log import SqliteLog as SqliteLog
