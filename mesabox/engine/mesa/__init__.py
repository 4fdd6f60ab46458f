"""Mesa, emulated: versioned repos on git objects, jj's change semantics, scoped keys, and the REST API over them.

service.py ties it together; grants.py says who asks; history.py is what a change does; endpoints/ speak HTTP.
"""
