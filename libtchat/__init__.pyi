from libtchat.client import ClientConnection as ClientConnection
from libtchat.direct import Box as Box
from libtchat.effect import *
from libtchat.group import *
from libtchat.hub.hub import Hub as Hub
from libtchat.message.direct import KEPT as KEPT
from libtchat.message.direct import KeptEvent as KeptEvent
from libtchat.message.direct import Received as Received
from libtchat.message.direct import Sent as Sent
from libtchat.message.errors import ErrorCode as ErrorCode
from libtchat.message.errors import ProtocolError as ProtocolError
from libtchat.message.errors import Refused as Refused
from libtchat.message.errors import TchatError as TchatError
from libtchat.message.errors import Violation as Violation
from libtchat.message.event import *
from libtchat.message.limits import *
from libtchat.message.names import *
from libtchat.message.reply import *
from libtchat.message.request import *
from libtchat.mirror import *
from libtchat.paging import fill as fill
from libtchat.rules import *
from libtchat.ruling import *
from libtchat.stored import *
from libtchat.wire.codec import decode_event as decode_event
from libtchat.wire.codec import decode_message as decode_message
from libtchat.wire.codec import decode_request as decode_request
from libtchat.wire.codec import encode as encode
from libtchat.wire.codec import encode_page as encode_page
from libtchat.wire.codec import encode_request as encode_request
from libtchat.wire.codec import read_message as read_message
from libtchat.wire.connection import *
from libtchat.wire.snapshot import decode_group as decode_group
from libtchat.wire.snapshot import encode_group as encode_group

__version__: str
