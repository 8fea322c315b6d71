"""What makes somebody look at an account."""

from config import env

GEOIP_DATABASE = env.text(
    "GEOIP_DATABASE", "", help="An MMDB file of countries, for the notice of a sign-in from a new one; empty: none."
)
THREAT_DELETIONS_PER_HOUR = env.integer(
    "THREAT_DELETIONS_PER_HOUR", 200, minimum=0, help="More deletions by one person make an alert; 0: never."
)
THREAT_EXPORTS_PER_HOUR = env.integer(
    "THREAT_EXPORTS_PER_HOUR", 10, minimum=0, help="More exports by one person make an alert; 0: never."
)
