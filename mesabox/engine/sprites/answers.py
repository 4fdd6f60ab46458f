"""JSON as the service answers it."""

import json
from typing import Any

from starlette.responses import JSONResponse


class Json(JSONResponse):
    """Also of names that are no text: what of them cannot be told becomes U+FFFD, as Go's encoder makes it."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
