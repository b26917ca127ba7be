from realtime_nb import calls as calls
from realtime_nb import errors as errors
from realtime_nb import local as local
from realtime_nb import logs as logs
from realtime_nb import models as models
from realtime_nb import plots as plots
from realtime_nb import tracing as tracing
from realtime_nb.archive import open_history as open_history
from realtime_nb.audio import Audio as Audio
from realtime_nb.batching import batch as batch
from realtime_nb.comparison import compare as compare
from realtime_nb.connecting import connect as connect
from realtime_nb.images import Image as Image
from realtime_nb.logs.query import sql as sql
from realtime_nb.models import model as model
from realtime_nb.session import Session as Session
from realtime_nb.turn import Turn as Turn
from realtime_nb.widgets import Camera as Camera
from realtime_nb.widgets import Meter as Meter
from realtime_nb.widgets import Player as Player
from realtime_nb.widgets import Recorder as Recorder

__version__: str
