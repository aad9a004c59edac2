"""The drawn assortment: one line per product."""
# ruff: noqa: E501  (the assortment is a table: one product, one line)

from dataclasses import dataclass
from functools import cached_property

from models.data.drawn_labels import Design
from models.data.drawn_packages import OUTLINES, boxed_shape, soft_shape
from models.data.drawn_round import PROFILES, round_shape
from models.data.drawn_shape import Renderer, Shape


@dataclass(frozen=True)
class DrawnProduct:
    """A product that exists only as a drawing.

    Attributes:
        sku: stable key, lower case with dashes.
        name: what the receipt says.
        price_minor: price in minor units (cents).
        category: shelf.
        shape: solid and size in centimetres.
        design: what is printed on it.
    """

    sku: str
    name: str
    price_minor: int
    category: str
    shape: Shape
    design: Design

    @cached_property
    def renderer(self) -> Renderer:
        """The drawing function, prepared on first use."""
        kind = self.shape.kind
        if kind in ("box", "carton"):
            return boxed_shape(self.shape, self.design)
        if kind in OUTLINES:
            return soft_shape(self.shape, self.design)
        if kind in PROFILES:
            return round_shape(self.shape, self.design)
        known = sorted(["box", "carton", *OUTLINES, *PROFILES])
        raise ValueError(f"kind: expected one of {known}, got {kind!r}")


# kind: default (width, height, depth) in centimetres
# fmt: off
SIZES: dict[str, tuple[float, float, float]] = {
    "carton": (7.2, 21, 7), "box": (13, 19, 4.5), "bottle": (6.8, 23, 0), "wine": (7.2, 28, 0),
    "can": (6.4, 12.2, 0), "tin": (7.6, 10.5, 0), "jar": (8, 11, 0), "cup": (7.6, 9, 0),
    "spray": (5, 17, 0), "apple": (8, 8.4, 0), "orange": (8.2, 8, 0), "lemon": (6.6, 9, 0),
    "pear": (7.6, 11.5, 0), "aubergine": (8, 17, 0), "bag": (15, 20, 0), "pouch": (12, 15, 0),
    "bar": (16, 7, 0), "tube": (5.4, 17, 0), "banana": (18, 8, 0), "loaf": (21, 11, 0),
    "soap": (9.5, 6.5, 0),
}

# kind, brand, title, price, category, base, accent, ink, pattern, emblem, tint, (size)
Row = tuple[str, str, str, int, str, str, str, str, str, str, str, tuple[float, float, float] | None]
ROWS: tuple[Row, ...] = (
    ("carton", "Almhof", "Whole Milk 1 l", 129, "dairy", "#f4f8ff", "#2f6fc4", "#123a78", "hills", "cow", "#ffffff", None),
    ("carton", "Almhof", "Chocolate Milk", 159, "dairy", "#e9d3b8", "#6b3a1e", "#4a2410", "waves", "cup", "#ffffff", (6, 15, 6)),
    ("carton", "Haferei", "Oat Drink", 199, "dairy", "#f7e7b8", "#c48a2c", "#5d3c10", "stripes", "wheat", "#ffffff", None),
    ("carton", "Sunfield", "Orange Juice", 219, "drinks", "#fff0d0", "#f47b16", "#9c3d05", "rays", "orange", "#ffffff", None),
    ("carton", "Sunfield", "Berry Juice", 229, "drinks", "#f6d9e6", "#9e1a52", "#5c0b2f", "dots", "berry", "#ffffff", None),
    ("box", "Crispa", "Corn Flakes", 249, "breakfast", "#ffd84d", "#d9281e", "#7a0f0b", "rays", "sun", "", None),
    ("box", "Crispa", "Choco Pops", 279, "breakfast", "#5b3219", "#8c5632", "#ffe0a8", "dots", "star", "", None),
    ("box", "Hedgerow", "Berry Muesli", 399, "breakfast", "#efe6f5", "#7a4aa0", "#3d1d5c", "hills", "berry", "", (12, 17, 5)),
    ("box", "Molino", "Spaghetti", 119, "pasta", "#14427d", "#e8c64a", "#f6e7a8", "stripes", "wheat", "", (8, 24, 3)),
    ("box", "Molino", "Lasagne", 149, "pasta", "#8c1c24", "#efc9a0", "#ffe9cf", "bands", "chili", "", (9, 18, 4)),
    ("box", "Kettle Row", "Mint Tea", 189, "tea", "#d5efdc", "#1f7a4d", "#0b4a2c", "frame", "leaf", "", (13, 8, 6)),
    ("box", "Kettle Row", "Breakfast Tea", 189, "tea", "#f6dcc1", "#b5522b", "#5e200b", "frame", "cup", "", (13, 8, 6)),
    ("box", "Forno", "Frozen Pizza", 349, "frozen", "#1d6f42", "#e34b32", "#fff1d6", "split", "chili", "", (20, 20, 3)),
    ("box", "Miaula", "Cat Treats", 225, "pets", "#f9c7d9", "#7b3fa1", "#47206a", "dots", "paw", "", (10, 14, 4)),
    ("box", "Glanz", "Washing Powder", 549, "household", "#e8f6ff", "#1aa7d8", "#0b3f8a", "waves", "drop", "", (15, 17, 7)),
    ("box", "Butterkamp", "Salted Butter", 239, "dairy", "#f9e48b", "#3c6fb0", "#1f3f73", "split", "cow", "", (11, 7, 5)),
    ("bottle", "Quellin", "Spring Water", 79, "drinks", "#e6f5ff", "#1d8fd1", "#0a4a83", "hills", "drop", "#bfe2f2", None),
    ("bottle", "Fizzo", "Cola", 139, "drinks", "#c9161d", "#7d0a10", "#ffffff", "waves", "star", "#3a1a10", None),
    ("bottle", "Fizzo", "Lemonade", 139, "drinks", "#fff46b", "#5db52f", "#1f6a1c", "dots", "lemon", "#e3ef9a", None),
    ("bottle", "Oliva d'Oro", "Olive Oil", 699, "pantry", "#f3eecb", "#6d7d1f", "#39430c", "frame", "olive", "#7d8a2a", (7, 26, 0)),
    ("bottle", "Roter Topf", "Ketchup", 199, "pantry", "#ffffff", "#2f8f3a", "#b3131b", "split", "chili", "#bb1a1e", (7, 20, 0)),
    ("bottle", "Blanka", "Dish Soap", 169, "household", "#ffffff", "#13a28a", "#0a5d50", "rays", "drop", "#41cbb0", (8, 21, 0)),
    ("wine", "Val Sereno", "Red Wine", 899, "wine", "#f2ead8", "#7a1427", "#4d0b18", "frame", "berry", "#1f2a1c", None),
    ("wine", "Val Sereno", "White Wine", 849, "wine", "#ffffff", "#c9a646", "#6d5312", "hills", "sun", "#a9b36a", None),
    ("can", "Fizzo", "Cola Zero", 99, "drinks", "#17171a", "#c9161d", "#f2f2f2", "waves", "star", "", None),
    ("can", "Voltage", "Energy Drink", 149, "drinks", "#1b2a6b", "#2fd0ea", "#f5f02c", "diagonal", "bolt", "", (5.4, 14, 0)),
    ("can", "Bergbrau", "Lager Beer", 109, "drinks", "#f6e7b0", "#1f6b3a", "#8c5a0d", "bands", "wheat", "", None),
    ("can", "Kokoa", "Coconut Water", 179, "drinks", "#ffffff", "#7bc96f", "#1d5c3a", "diagonal", "leaf", "", None),
    ("tin", "Orto", "Chopped Tomatoes", 89, "pantry", "#d8231f", "#8f1210", "#fff3cf", "checks", "chili", "", None),
    ("tin", "Orto", "Chick Peas", 99, "pantry", "#f3dfae", "#b7772d", "#5b3209", "dots", "wheat", "", None),
    ("tin", "Nordfang", "Tuna in Oil", 189, "pantry", "#12508f", "#7fc6e8", "#fdf6d8", "waves", "fish", "", (8.5, 5, 0)),
    ("tin", "Orto", "Sweet Corn", 115, "pantry", "#2f9e44", "#f7d038", "#fff9cf", "rays", "sun", "", (7.6, 8, 0)),
    ("jar", "Marille", "Apricot Jam", 259, "breakfast", "#fff5dc", "#ee8f1f", "#8a3f05", "checks", "orange", "#e58a22", None),
    ("jar", "Marille", "Strawberry Jam", 259, "breakfast", "#ffe3e6", "#d12b45", "#7d0f23", "checks", "berry", "#a3152c", None),
    ("jar", "Imkerei", "Blossom Honey", 499, "breakfast", "#fff2bf", "#c9820e", "#5b3605", "frame", "bee", "#d79417", None),
    ("jar", "Nussini", "Hazelnut Spread", 329, "breakfast", "#ffffff", "#8a5a2b", "#b01218", "split", "heart", "#4a2614", (8.4, 12, 0)),
    ("jar", "Gurkfein", "Pickled Gherkins", 179, "pantry", "#eef6cf", "#4f8a2a", "#1f4d12", "stripes", "leaf", "#7f9a3c", (8, 15, 0)),
    ("cup", "Almhof", "Strawberry Yogurt", 69, "dairy", "#ffe9ef", "#e2446a", "#8d1034", "dots", "berry", "#ffffff", None),
    ("cup", "Almhof", "Lemon Yogurt", 69, "dairy", "#fffbd6", "#f1d21b", "#6d5a00", "waves", "lemon", "#ffffff", None),
    ("cup", "Skyrland", "Plain Skyr", 109, "dairy", "#ffffff", "#1f4e9e", "#0f2b5c", "split", "star", "#ffffff", (9.4, 11, 0)),
    ("spray", "Frische", "Deodorant", 279, "care", "#dfeffc", "#5a7fd6", "#1c2f73", "waves", "flower", "#cccccc", None),
    ("spray", "Kopfwohl", "Shampoo", 319, "care", "#5c2d82", "#b06ad0", "#f9eaff", "bands", "flower", "#5c2d82", (6.4, 19, 0)),
    ("bag", "Knusper", "Paprika Chips", 179, "snacks", "#e3311f", "#f7a51d", "#fff3c4", "rays", "chili", "", None),
    ("bag", "Knusper", "Salted Chips", 179, "snacks", "#f7d23c", "#2268b5", "#123b73", "diagonal", "star", "", None),
    ("bag", "Knusper", "Sour Cream Chips", 189, "snacks", "#2f9f5f", "#d9f2c4", "#f9fff0", "waves", "leaf", "", None),
    ("bag", "Rostwerk", "Coffee Beans", 799, "coffee", "#2b1a12", "#b0793a", "#f0d9b0", "bands", "cup", "", (12, 22, 0)),
    ("pouch", "Baerli", "Fruit Gummies", 119, "sweets", "#ffdf3d", "#ea4b8b", "#3a2a8c", "dots", "heart", "", None),
    ("pouch", "Nutty", "Roasted Cashews", 349, "snacks", "#1f3d4d", "#e2b569", "#fbeed0", "frame", "olive", "", None),
    ("bar", "Kakaoti", "Milk Chocolate", 129, "sweets", "#6a2f8f", "#8d55b3", "#f6e7ff", "diagonal", "cow", "", None),
    ("bar", "Kakaoti", "Dark Chocolate", 149, "sweets", "#1d1a18", "#a8842c", "#f2d98a", "stripes", "cup", "", None),
    ("bar", "Kakaoti", "Nut Chocolate", 149, "sweets", "#1f7a3f", "#f0cf7a", "#fff7dc", "split", "olive", "", None),
    ("bar", "Pausa", "Cereal Bar", 59, "sweets", "#f47a1f", "#ffd36b", "#6b2506", "rays", "bee", "", (14, 4.6, 0)),
    ("tube", "Zahnia", "Toothpaste", 189, "care", "#ffffff", "#d5202f", "#0f5fae", "bands", "tooth", "#0f5fae", None),
    ("tube", "Handgut", "Hand Cream", 229, "care", "#f5e6f0", "#a64d79", "#5b1d3f", "waves", "flower", "#d9c0cf", (5.6, 14, 0)),
    ("soap", "Lavanda", "Soap Bar", 99, "care", "#e4d7f5", "#8b62c9", "#412277", "dots", "flower", "", None),
    ("apple", "", "Red Apple", 45, "fruit", "#b3141f", "#e8b23c", "", "plain", "apple", "#5a3b1a", None),
    ("apple", "", "Green Apple", 45, "fruit", "#7fae25", "#b9d84a", "", "plain", "apple", "#5a3b1a", None),
    ("orange", "", "Orange", 55, "fruit", "#f08010", "#f8a028", "", "plain", "orange", "#4f6b1f", None),
    ("orange", "", "Tomato", 35, "vegetables", "#d0231a", "#e5452a", "", "plain", "apple", "#3c7a24", (7, 6.2, 0)),
    ("lemon", "", "Lemon", 49, "fruit", "#f2d21e", "#f9e45a", "", "plain", "lemon", "#a8a52a", None),
    ("lemon", "", "Lime", 39, "fruit", "#4f9a1d", "#7fbf34", "", "plain", "lemon", "#4f7d1d", (5.4, 6.8, 0)),
    ("pear", "", "Pear", 59, "fruit", "#a9a93a", "#d8cf5c", "", "plain", "apple", "#5a3b1a", None),
    ("aubergine", "", "Aubergine", 119, "vegetables", "#2d1436", "#4a2356", "", "plain", "leaf", "#5f8f35", None),
    ("banana", "", "Banana", 39, "fruit", "#f5d53c", "#f5d53c", "", "plain", "lemon", "#f1d03a", None),
    ("loaf", "", "Country Loaf", 289, "bakery", "#b87333", "#b87333", "", "plain", "wheat", "#b5743a", None),
)
# fmt: on


def catalogue() -> tuple[DrawnProduct, ...]:
    """The whole assortment, always the same and in the same order."""
    return tuple(_product(row) for row in ROWS)


def _product(row: Row) -> DrawnProduct:
    kind, brand, title, price, category, base, accent, ink, pattern, emblem, tint, size = row
    name = f"{brand} {title}".strip()
    sku = "".join(c if c.isalnum() else "-" for c in name.lower().replace("'", ""))
    shape = Shape(kind, *(size or SIZES[kind]), tint=tint or base)
    design = Design(brand, title, base, accent, ink or "#222222", pattern, emblem)
    return DrawnProduct(sku, name, price, category, shape, design)
