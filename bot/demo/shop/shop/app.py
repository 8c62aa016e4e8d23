"""The routes, and what answers them."""

from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from shop import pages
from shop.cart import Cart, CartError, from_cookie, to_cookie
from shop.catalogue import PRODUCTS
from shop.version import deployed_sha


async def show_catalogue(request: Request) -> Response:
    return HTMLResponse(pages.catalogue(cart_of(request)))


async def show_cart(request: Request) -> Response:
    return HTMLResponse(pages.cart(cart_of(request)))


async def add_to_cart(request: Request) -> Response:
    form = await form_of(request)
    try:
        cart = cart_of(request).add(form.get("sku", ""))
    except CartError as error:
        return HTMLResponse(pages.cart(cart_of(request), str(error)), status_code=422)
    return with_cart(RedirectResponse("/cart", status_code=303), cart)


async def api_products(_request: Request) -> Response:
    return JSONResponse(
        [{"sku": p.sku, "name": p.name, "price_cents": p.price_cents} for p in PRODUCTS]
    )


async def api_cart(request: Request) -> Response:
    return JSONResponse(cart_json(cart_of(request)))


async def api_add(request: Request) -> Response:
    body = await json_of(request)
    try:
        cart = cart_of(request).add(str(body.get("sku", "")), int(str(body.get("quantity", 1))))
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=422)
    return with_cart(JSONResponse(cart_json(cart), status_code=201), cart)


async def version(_request: Request) -> Response:
    return PlainTextResponse(deployed_sha())


def cart_of(request: Request) -> Cart:
    return from_cookie(request.cookies.get("cart", ""))


def with_cart(response: Response, cart: Cart) -> Response:
    response.set_cookie("cart", to_cookie(cart), httponly=True, samesite="lax")
    return response


def cart_json(cart: Cart) -> dict[str, object]:
    lines = [{"sku": line.product.sku, "quantity": line.quantity} for line in cart.lines]
    return {"lines": lines, "total_cents": cart.subtotal_cents}


async def form_of(request: Request) -> dict[str, str]:
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items()}


async def json_of(request: Request) -> dict[str, object]:
    """The body as an object; anything else is an empty one."""
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


app = Starlette(
    routes=[
        Route("/", show_catalogue),
        Route("/cart", show_cart),
        Route("/cart/add", add_to_cart, methods=["POST"]),
        Route("/api/products", api_products),
        Route("/api/cart", api_cart),
        Route("/api/cart", api_add, methods=["POST"]),
        Route("/version", version),
    ]
)
