"""The web process: `granian --interface wsgi gateway.wsgi:app`."""

import sys

from gateway import tracing
from gateway.config import from_environment
from gateway.domain.errors import ConfigurationError
from gateway.observe import configure_logging
from gateway.web.app import create_app
from gateway.web.services import connect

try:
    _settings = from_environment()
    tracing.configure(_settings)
except ConfigurationError as error:
    sys.exit(str(error))
configure_logging(_settings.log_format)
app = create_app(connect(_settings))
