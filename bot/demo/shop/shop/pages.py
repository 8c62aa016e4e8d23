"""The pages, as text. Everything that is not ours is escaped."""

from html import escape

from shop.cart import Cart, money
from shop.catalogue import PRODUCTS, Product

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.4rem;border-bottom:1px solid #ddd}"
    "td:last-child,th:last-child{text-align:right}"
)


def catalogue(cart: Cart) -> str:
    rows = "".join(_offer(product) for product in PRODUCTS)
    return _page("Catalogue", f"<table>{rows}</table>{_cart_link(cart)}")


def cart(held: Cart, problem: str = "") -> str:
    if not held.quantities:
        return _page("Your cart", "<p>Your cart is empty.</p><p><a href='/'>Catalogue</a></p>")
    rows = "".join(
        f"<tr><td>{escape(line.product.name)}</td><td>{line.quantity} ×</td>"
        f"<td>{money(line.total_cents)}</td></tr>"
        for line in held.lines
    )
    total = f"<tr><th colspan=2>Total</th><th id='total'>{money(held.subtotal_cents)}</th></tr>"
    return _page("Your cart", f"{_problem(problem)}<table>{rows}{total}</table>")


def _offer(product: Product) -> str:
    return (
        f"<tr><td>{escape(product.name)}</td><td>{money(product.price_cents)}</td>"
        "<td><form method='post' action='/cart/add'>"
        f"<input type='hidden' name='sku' value='{escape(product.sku)}'>"
        "<button>Add to cart</button></form></td></tr>"
    )


def _cart_link(held: Cart) -> str:
    count = sum(line.quantity for line in held.lines)
    return f"<p><a href='/cart'>Cart ({count})</a></p>"


def _problem(text: str) -> str:
    return f"<p role='alert'>{escape(text)}</p>" if text else ""


def _page(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        f"<title>{escape(title)} · Shop</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1>{body}</html>"
    )
