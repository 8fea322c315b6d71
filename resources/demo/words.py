"""What the demo world is made of."""

from typing import Final

FIRST_NAMES: Final = (
    "Ada", "Amara", "Anton", "Bea", "Chidi", "Clara", "Dario", "Elif", "Emil", "Freya", "Goran", "Hana", "Ines", "Ivo",
    "Jonas", "Kaya", "Lena", "Luca", "Maja", "Milo", "Nadia", "Noor", "Oskar", "Petra", "Quentin", "Rosa", "Samir",
    "Tove", "Uma", "Viktor", "Wanda", "Yara", "Zeno",
)  # fmt: skip
LAST_NAMES: Final = (
    "Adeyemi", "Bauer", "Costa", "Dvořák", "Eriksson", "Ferrari", "García", "Haddad", "Ivanova", "Jensen", "Kaya",
    "Lindqvist", "Moreau", "Nowak", "Okafor", "Petrov", "Quist", "Rossi", "Silva", "Tanaka", "Ueda", "Vargas", "Weber",
    "Yilmaz", "Zimmer",
)  # fmt: skip
COMPANY_FIRST: Final = (
    "Amber", "Arctic", "Aurora", "Basalt", "Birch", "Boreal", "Cedar", "Cinder", "Cobalt", "Copper", "Coral", "Delta",
    "Ember", "Falcon", "Fjord", "Flint", "Garnet", "Glacier", "Granite", "Harbour", "Hazel", "Heron", "Indigo", "Iron",
    "Juniper", "Kestrel", "Lagoon", "Larch", "Linden", "Lunar", "Maple", "Marble", "Meadow", "Mistral", "Nimbus",
    "North", "Oak", "Onyx", "Opal", "Orchid", "Osprey", "Pebble", "Pine", "Prairie", "Quartz", "Raven", "Reed", "River",
    "Rowan",
    "Saffron", "Sierra", "Silver", "Solar", "Spruce", "Summit", "Thistle", "Tidal", "Umber", "Velvet", "Willow",
)  # fmt: skip
COMPANY_SECOND: Final = (
    "Analytics", "Antiques", "Architects", "Bakery", "Bicycles", "Books", "Brewery", "Cameras", "Capital", "Ceramics",
    "Cinema", "Clinic", "Coffee", "Consulting", "Dental", "Energy", "Farms", "Films", "Florists", "Foods", "Foundry",
    "Furniture", "Gallery", "Games", "Hotels", "Instruments", "Labs", "Logistics", "Marine", "Media", "Motors",
    "Optics", "Pharmacy", "Press", "Records", "Robotics", "Shipping", "Studios", "Textiles", "Travel",
)  # fmt: skip
KINDS: Final = (
    ("Invoice", "Sent on the first of the month; due within thirty days."),
    ("Offer", "Valid for six weeks, delivery included."),
    ("Contract", "Signed by both sides; renews each year unless cancelled."),
    ("Meeting notes", "Who came, what was decided, and who does what until when."),
    ("Project", "What comes first, what can wait, and why."),
    ("Inventory", "Counted twice; differences are noted at the end."),
    ("Support case", "What happened, what was tried, what helped."),
    ("Campaign", "Goal, audience, budget and the three messages that matter."),
    ("Inspection", "Every point of the list, with a photograph of each fault."),
    ("Recipe", "Serves four. Takes an hour, most of it waiting."),
)
SUBJECTS: Final = (
    "spring delivery", "annual review", "new website", "warehouse move", "summer opening", "safety training",
    "price list", "anniversary", "kick-off", "handover", "second shipment", "budget", "photo shooting", "audit",
    "energy saving", "onboarding", "trade fair", "repair", "newsletter", "winter stock",
)  # fmt: skip
TAGS: Final = (
    "urgent", "draft", "paid", "waiting", "internal", "customer", "supplier", "legal", "finance", "marketing",
    "production", "archive", "travel", "hiring", "hardware", "software", "press", "quality", "research", "events",
)  # fmt: skip
