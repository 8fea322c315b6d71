"""`python -m accounts.tests.oidc_provider PORT`."""

import os
import sys

from werkzeug.serving import make_server

from accounts.tests.oidc_provider.server import create_app

# The tests reach it over plain HTTP on this machine.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
port = int(sys.argv[1])
make_server("127.0.0.1", port, create_app(f"http://localhost:{port}"), threaded=True).serve_forever()
