from django.apps import AppConfig


class TownConfig(AppConfig):
    name = "tests.drills.town"
