"""The web process: `granian --interface wsgi gateway.wsgi:app`."""

import sys

from gateway import tracing
from gateway.config import from_environment
from gateway.domain.errors import ConfigurationError, StoreUnavailable
from gateway.observe import configure_logging
from gateway.web.app import create_app
from gateway.web.services import connect

try:
    _settings = from_environment()
    tracing.configure(_settings)
    configure_logging(_settings.log_format)
    app = create_app(connect(_settings))
except (ConfigurationError, StoreUnavailable) as error:
    sys.exit(str(error))
