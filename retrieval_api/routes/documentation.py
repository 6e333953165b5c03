"""GET /docs: the OpenAPI document as a page that needs no other host.

FastAPI's own page loads Swagger UI from a content delivery network. This page loads the files of
the package fastapi-offline.
"""

from __future__ import annotations

from html import escape
from importlib.resources import as_file, files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

ASSETS_PATH = "/docs/assets"

# Swagger UI has no link to the page of the service, so this link is added.
_BACK = (
    '<p style="margin: 1rem auto; max-width: 1420px; padding: 0 20px; font-family: sans-serif">'
    '<a href="{root}/">Back to the page</a></p>'
)

router = APIRouter(include_in_schema=False)


@router.head("/docs")
@router.get("/docs")
async def show_documentation(request: Request) -> HTMLResponse:
    """Return Swagger UI for the OpenAPI document of this service."""
    root = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title="Ragline",
        swagger_js_url=f"{root}{ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{root}{ASSETS_PATH}/favicon.png",
        # The validator is disabled, because it is an image on another host.
        swagger_ui_parameters={"validatorUrl": None, "tryItOutEnabled": True},
    )
    back = _BACK.format(root=escape(root))
    return HTMLResponse(bytes(page.body).decode().replace("<body>", f"<body>{back}", 1))


def mount_documentation(app: FastAPI) -> None:
    """Serve the page with its script and style sheet."""
    app.include_router(router)
    app.mount(ASSETS_PATH, StaticFiles(directory=_assets_folder()))


def _assets_folder() -> Path:
    with as_file(files("fastapi_offline") / "static") as folder:
        return folder
