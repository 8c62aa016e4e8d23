"""GitHub's refusals: a status and a body in the shape that GitHub sends.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from bot.localhub.types import Json

DOCS = "https://docs.github.com/rest"


class Refused(Exception):
    """The hub answers a request with this status and body instead of doing it."""

    def __init__(
        self, status: int, message: str, errors: list[Json] | None = None, location: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.location = location

    def body(self) -> Json:
        """The JSON body; ``errors`` only where there are any."""
        body: Json = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return body | {"documentation_url": DOCS, "status": str(self.status)}


def not_found() -> Refused:
    """404: missing, or hidden from this caller."""
    return Refused(404, "Not Found")


def forbidden(message: str = "Resource not accessible by integration") -> Refused:
    """403: the token is good and its permissions are not enough."""
    return Refused(403, message)


def invalid(resource: str, field: str, code: str, message: str = "") -> Refused:
    """422 that names one field; ``code`` is one of GitHub's (missing_field, invalid, custom...)."""
    error: Json = {"resource": resource, "field": field, "code": code}
    if message:
        error["message"] = message
    return Refused(422, "Validation Failed", [error])


def unprocessable(message: str) -> Refused:
    """422 with a sentence of its own and no list of fields."""
    return Refused(422, message)
