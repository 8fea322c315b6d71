"""What `manage.py up` tells when everything runs."""

from pathlib import Path

from core.embedded.preparation import DemoLogin


def banner(*, url: str, live_url: str, data_dir: Path, mail: str, login: DemoLogin | None) -> str:
    """Return where everything is, who may sign in and how to stop."""
    rows = {
        "API": f"{url}/api/v1",
        "API docs": f"{url}/api/v1/docs",
        "Admin": f"{url}/admin/",
        "Sign in": _sign_in(login),
        "Live": f"{live_url}/api/v1/events/stream",
        "Mail": mail,
        "Data": str(data_dir),
        "Stop": "Ctrl-C",
    }
    lines = [f"  {name:<9} {text}" for name, text in rows.items()]
    return "\n".join(["", "Nook Link is running.", "", *lines, ""])


def _sign_in(login: DemoLogin | None) -> str:
    if login is None:
        return "make an administrator with: manage.py createsuperuser"
    if not login.password:
        return f"{login.email} (forgotten the password? manage.py changepassword {login.email})"
    return f"{login.email}  password: {login.password}  (shown this once)"
