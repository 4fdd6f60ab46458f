"""What leaves a sandbox: names through a DNS stub, TCP through a proxy in the daemon, nothing else.

The sandbox's network namespace has a loopback and no way out. Every address is routed to that loopback, where the
kernel redirects TCP to our listener and DNS to our stub: both are sockets made inside and served by the daemon. A name
that may be reached gets a synthetic address, by which the listener knows it again. So a policy is by name, for any TCP
program, without a setting in it.
"""
