"""Fault switches: what goes wrong on purpose. ``faults`` holds what is asked for, ``gate`` is where requests meet it.

Each switch of ``wire/fault_switches`` is a small ASGI wrapper in ``requests``, ``answers`` or ``sockets``, or is asked
for by name where it acts: ``mounts``, ``sprites/machines`` and ``mesa/endpoints/api_keys``.
"""
