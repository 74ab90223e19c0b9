"""SVG elements as escaped text."""

from __future__ import annotations

from markupsafe import Markup, escape

Attribute = str | float | None


def element(name: str, *children: str, **attributes: Attribute) -> Markup:
    """Return an element; text among its children and attributes is escaped.

    Parameters
    ----------
    name
        Name of the element.
    *children
        Text, or markup of other elements.
    **attributes
        Attributes. An underscore becomes a hyphen; a final one (``class_``) is dropped. None omits
        the attribute; numbers have at most two decimals.

    Examples
    --------
    >>> element("text", "<b>", x=1.5, text_anchor="end", class_="label")
    Markup('<text x="1.5" text-anchor="end" class="label">&lt;b&gt;</text>')
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not children:
        return Markup(f"<{name}{written}/>")  # noqa: S704 -- escaped above
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 -- escaped above


def group(*children: str, **attributes: Attribute) -> Markup:
    """Group children into one element."""
    return element("g", *children, **attributes) if children else Markup("")


def image(width: float, height: float, label: str, *children: str, class_: str = "") -> Markup:
    """Return a whole picture that scales with the space it gets.

    Parameters
    ----------
    width, height
        Size of its coordinates, in pixels at natural size.
    label
        Text for screen readers.
    *children
        Elements of the picture.
    class_
        Class of the picture.
    """
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=label,
        class_=f"chart {class_}".strip(),
    )


def bar(
    x: float, y: float, width: float, height: float, class_: str, tip: str | None = None
) -> Markup:
    """Return a rectangle, with a tooltip."""
    title = () if tip is None else (element("title", tip),)
    return element(
        "rect", *title, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_
    )


def text(
    content: str, x: float, y: float, class_: str = "label", anchor: str | None = None
) -> Markup:
    """Return text; `anchor` is ``middle`` or ``end``, else it starts at `x`."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str = "rule") -> Markup:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def number(value: float) -> str:
    """Format a coordinate with at most two decimals.

    Examples
    --------
    >>> number(3.14159), number(2.0), number(-0.001)
    ('3.14', '2', '0')
    """
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def _attribute(value: str | float) -> str:
    return str(escape(value)) if isinstance(value, str) else number(value)
