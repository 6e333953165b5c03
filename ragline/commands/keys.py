"""`ragline keys …`: creates, lists and revokes keys of the retrieval API, and shows their use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.access.keys import SCOPES, Scope, create_key, list_keys, revoke_key
from ragline.access.tenants import DEFAULT_TENANT
from ragline.commands import configured, json_option, print_json
from ragline.counts import count
from ragline.errors import ConfigurationError

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.group()
def keys() -> None:
    """Create, list or revoke keys of the retrieval API."""


@keys.command("create")
@click.argument("name")
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Tenant of the key.")
@click.option(
    "--collection",
    "collections",
    multiple=True,
    help="Collection that the key may use. Repeat the option for several. Default: all collections "
    "of the tenant.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("search", "feedback"),
    show_default=True,
    help="Permission of the key. Repeat the option for several.",
)
@click.option(
    "--principal",
    "principals",
    multiple=True,
    help="Principal that a search with the key may use. Repeat the option for several. With *, "
    "the key may use all principals, and each request names those of its search.",
)
@click.option(
    "--requests-per-minute",
    type=click.IntRange(min=1),
    help="Maximum number of requests in a minute. Default: no limit.",
)
@click.option("--expires-in", help="Lifetime of the key, such as 90d. Default: it does not expire.")
@json_option
@configured
def create_command(
    configuration: Configuration,
    name: str,
    *,
    tenant: str,
    collections: tuple[str, ...],
    scopes: tuple[Scope, ...],
    principals: tuple[str, ...],
    requests_per_minute: int | None,
    expires_in: str | None,
    as_json: bool,
) -> None:
    """Create a key called NAME and print it.

    The key cannot be printed later, because the database stores only its hash.
    """
    from ragline.sources.settings import read_duration
    from ragline.storage.database import open_database

    _check_collections(configuration, tenant, collections)
    try:
        lifetime = None if expires_in is None else read_duration(expires_in)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires-in") from error
    with open_database(configuration) as database:
        key = create_key(
            database,
            name=name,
            tenant=tenant,
            scopes=scopes,
            collections=collections or None,
            principals=principals,
            requests_per_minute=requests_per_minute,
            lifetime=lifetime,
        )
    if as_json:
        print_json({"key": key})
    else:
        click.echo(key)


def _check_collections(
    configuration: Configuration, tenant: str, collections: tuple[str, ...]
) -> None:
    tenants = {settings.tenant for settings in configuration.collections}
    if tenant not in tenants:
        raise ConfigurationError(
            f"no collection belongs to the tenant {tenant!r}; known: {', '.join(sorted(tenants))}",
            path=configuration.path,
        )
    for name in collections:
        if configuration.collection(name).tenant != tenant:
            raise ConfigurationError(
                f"collection {name!r} does not belong to the tenant {tenant!r}",
                path=configuration.path,
            )


@keys.command("list")
@json_option
@configured
def list_command(configuration: Configuration, *, as_json: bool) -> None:
    """List all keys, without their secrets."""
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        known = list_keys(database)
    if as_json:
        print_json({"keys": known})
        return
    for key in known:
        state = f"revoked {key.revoked_at}" if key.revoked_at else f"expires {key.expires_at}"
        click.echo(
            f"{key.public_id} {key.name}: tenant {key.tenant}, "
            f"collections {', '.join(key.collections) if key.collections else 'all'}, "
            f"scopes {', '.join(key.scopes)}, principals {', '.join(key.principals) or 'none'}, "
            f"{state if key.revoked_at or key.expires_at else 'does not expire'}"
        )
    click.echo(count(len(known), "key"))


@keys.command("revoke")
@click.argument("public_id")
@json_option
@configured
def revoke_command(configuration: Configuration, public_id: str, *, as_json: bool) -> None:
    """Revoke the key with PUBLIC_ID at once. This id is the twelve characters after `rag_`."""
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        revoke_key(database, public_id)
    if as_json:
        print_json({"revoked": public_id})
    else:
        click.echo(f"{public_id} is revoked")


@keys.command("requests")
@click.argument("public_id")
@json_option
@configured
def requests_command(configuration: Configuration, public_id: str, *, as_json: bool) -> None:
    """Show the accepted requests of the key with PUBLIC_ID, from the audit table.

    Each line counts the requests with the same method, path, collection and status. The newest
    requests are first. The requests of a revoked key are also shown.
    """
    from ragline.access.audit import list_requests
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        found = list_requests(database, public_id)
    if as_json:
        print_json({"requests": found})
        return
    for one in found:
        collection = "" if one.collection is None else f", collection {one.collection}"
        click.echo(
            f"{one.method} {one.path}{collection}, status {one.status}: "
            f"{count(one.requests, 'request')}, {one.first_at:%Y-%m-%d %H:%M:%S} to "
            f"{one.last_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    click.echo(count(sum(one.requests for one in found), "request"))
