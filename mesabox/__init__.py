"""mesabox: from nothing to an agent's work, saved.

The rooms, each importing only those below it:

app          the front door: argv -> exit code, the only handler of every error
cli          what you type: one file per subcommand
switchboard  who answers: settings -> clients, URLs, the local engine
ui           what you see: streams, results, progress
flow         what happens: the chain, its steps and their undo, the record
clients      whom we call: Mesa and Sprites      engine  the other side: both services, on this machine
config       what we know: settings, paths, credentials
wire         what travels: shapes and frames, no I/O      errors  what can go wrong, and its exit code
"""

__version__ = "0.1.0"
