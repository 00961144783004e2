"""What one request may ask for and take, whatever way it comes: POST, GET, WebSocket and SSE alike.

A package, because each limit is a thing of its own: `documents` bounds what is parsed and validated, `costs` reckons a
query's points before it is executed, `budgets` takes them from its key, `meter` and `executor` stop what takes too
long, and `extension` puts them where Strawberry's schema passes for every transport.
"""
