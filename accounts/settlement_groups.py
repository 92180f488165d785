"""Settlement groups and buckets: accounts that share a payer or an allowance lie together, in a bucket no order can change."""

from __future__ import annotations

import hashlib

import polars as pl


def settlement_groups(accounts: pl.DataFrame) -> dict[str, str]:
    """account_id -> smallest account_id of its settlement group: the closure of same `group_id` and of account and payer."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    first_of_group: dict[str, str] = {}
    for account_id, payer, group_id in accounts.select("account_id", "bill_to_account_id", "group_id").iter_rows():
        links = [payer] if not group_id else [payer, first_of_group.setdefault(group_id, account_id)]
        for other in links:
            low, high = sorted((find(account_id), find(other)))
            root[high] = low
    return {account_id: find(account_id) for account_id in accounts["account_id"]}


def bucket_of(group: str, buckets: int) -> int:
    """The bucket of a settlement group, a hash of its smallest account id."""
    return int.from_bytes(hashlib.blake2b(group.encode(), digest_size=8).digest(), "little") % buckets
