"""What the shop sells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something to buy; prices are whole cents."""

    sku: str
    name: str
    price_cents: int


PRODUCTS = (
    Product(sku="mug", name="Enamel mug", price_cents=1450),
    Product(sku="tea", name="Mountain tea, 100 g", price_cents=890),
    Product(sku="kettle", name="Camping kettle", price_cents=3900),
    Product(sku="lamp", name="Head lamp", price_cents=2750),
)

BY_SKU = {product.sku: product for product in PRODUCTS}
