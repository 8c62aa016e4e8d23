"""What a customer could always do."""


def test_a_product_from_the_catalogue_lands_in_the_cart(customer) -> None:
    assert "Camping kettle" in customer.get("/").text
    cart = customer.submit("/cart/add", sku="kettle")
    assert cart.status == 200
    assert "€39.00" in cart.text


def test_the_json_cart_adds_up(customer) -> None:
    customer.post_json("/api/cart", {"sku": "mug", "quantity": 2})
    assert customer.get("/api/cart").json()["total_cents"] == 2900
