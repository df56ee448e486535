"""The web process with something amiss: see `altered`."""

import altered  # noqa: F401 - what is amiss must be in place before the application is made

from gateway.wsgi import app  # noqa: F401 - granian serves it
