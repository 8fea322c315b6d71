"""Routes of the comparison app, by the router of DRF."""

from rest_framework.routers import DefaultRouter

from bench.plain.views import ResourceViewSet

router = DefaultRouter(trailing_slash=False)
router.register("resources", ResourceViewSet, basename="resource")
urlpatterns = router.urls
