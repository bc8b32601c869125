from tchat_server.testing.book import Clock as Clock
from tchat_server.testing.contract import LogContract as LogContract
from tchat_server.testing.live import LiveServer as LiveServer
from tchat_server.testing.live import server as server
