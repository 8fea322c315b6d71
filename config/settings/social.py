"""Who else may say who somebody is: the providers of social sign-in."""

from config import env

# Social sign-in --------------------------------------------------------------------------------

_IDS = env.items(
    "OAUTH_PROVIDERS", (), help="Ids of the providers to sign in with: google, github, microsoft, or names of your own."
)
_SETTINGS = {
    "client_id": env.texts("OAUTH_<ID>_CLIENT_ID", _IDS, help="What the provider calls this installation."),
    "client_secret": env.texts(
        "OAUTH_<ID>_CLIENT_SECRET", _IDS, help="The secret that the provider gave with it.", kind="secret"
    ),
    "issuer": env.texts(
        "OAUTH_<ID>_ISSUER",
        _IDS,
        help="The address whose OpenID configuration is read; google, github and microsoft have theirs.",
        kind="url",
    ),
    "name": env.texts("OAUTH_<ID>_NAME", _IDS, help="What people read on the button; empty: the id, capitalised."),
}
OAUTH_PROVIDERS = {id: {name: values[id] for name, values in _SETTINGS.items()} for id in _IDS}
OAUTH_REDIRECT_URIS = env.items(
    "OAUTH_REDIRECT_URIS", (), help="Where a provider may send people back to: whole addresses, compared exactly."
)
