"""The comparison: what a good tutorial builds with ModelViewSet, SimpleJWT and PageNumberPagination."""
