"""The measure: our API beside a plain Django REST framework app and a bare WSGI function, on the same rows."""
