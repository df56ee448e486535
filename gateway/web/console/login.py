"""Who may look and who may act: a login by token, kept in a cookie, and proof for every form."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from gateway.domain.actions import Actor
from gateway.store.logins import LASTS
from gateway.store.tokens import Scope
from gateway.web.services import Services

COOKIE = "gateway-console"
FORM_KEY = "form_key"
_OPEN = frozenset({"console.static", "console.log_in", "console.enter"})


def operator(services: Services) -> Actor:
    """Who acts by the console, and when."""
    return Actor(f"console:{g.login.token.name}", services.runtime.clock())


class Door:
    """Stands before every page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def check(self) -> AnyResponse | None:
        """Lets in who is logged in, and acts only on forms that a page of ours gave out."""
        g.login = self._services.logins.find(request.cookies.get(COOKIE, ""))
        if request.endpoint in _OPEN:
            return None
        now = self._services.runtime.clock()
        if g.login is None or g.login.token.is_expired(now):
            here = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("console.log_in", next=here))
        g.may_act = g.login.token.allows(Scope.OPERATE, now)
        if not (g.may_act or g.login.token.allows(Scope.READ, now)):
            raise Forbidden("This token may not look at the console: it lacks the scope 'read'.")
        if request.method == "POST" and request.endpoint != "console.log_out":
            self._require_act()
        return None

    def _require_act(self) -> None:
        if not g.may_act:
            raise Forbidden("This token may only look: it lacks the scope 'operate'.")
        if not g.login.proves(request.form.get(FORM_KEY, "")):
            raise Forbidden("This form is not of this login; load the page anew, then try again.")


def add(routes: Blueprint, services: Services) -> None:
    @routes.get("/login")
    def log_in() -> str:
        """Asks for a token."""
        return render_template("console/login.html", next=request.args.get("next", ""), wrong=False)

    @routes.post("/login")
    def enter() -> AnyResponse | tuple[str, int]:
        """Begins a login with a token; a wrong one is asked for again."""
        _refuse_other_sites()
        token = services.tokens.find(request.form.get("token", "").strip())
        target = request.form.get("next", "")
        if token is None or token.is_expired(services.runtime.clock()):
            return render_template("console/login.html", next=target, wrong=True), 401
        answer = redirect(_ours(target))
        answer.set_cookie(
            COOKIE,
            services.logins.begin(token),
            max_age=LASTS,
            path=routes.url_prefix or "/",
            secure=True,
            httponly=True,
            samesite="Strict",
        )
        return answer

    @routes.post("/logout")
    def log_out() -> AnyResponse:
        """Ends the login, here and in the store."""
        services.logins.end(request.cookies.get(COOKIE, ""))
        answer = redirect(url_for("console.log_in"))
        answer.delete_cookie(COOKIE, path=routes.url_prefix or "/", secure=True, httponly=True)
        return answer


def _refuse_other_sites() -> None:
    """Nobody is to be logged in by another site, as somebody else."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden("Log in from the console's own page.")


def _ours(target: str) -> str:
    """Where to go on: a page of the console, never another site."""
    home = url_for("console.overview")
    clean = target.startswith(home) and "\\" not in target and "//" not in target
    return target if clean else home
