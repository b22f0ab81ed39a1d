"""Checks the schema that editors use against a validator of JSON Schema: that it is one, that every stack of the
repository fits it, and that it refuses what is wrong. `cargo test` sees to it that the schema is that of the types."""

import json
import sys
import tomllib
from pathlib import Path

from jsonschema import Draft7Validator

ROOT = Path(__file__).parent.parent

FILES = [
    "stacks/**/*.toml",
    "examples/**/*.toml",
    "src/commands/starter.toml",
    "src/explain/sections.toml",
    "src/resources/*/example.toml",
    "src/resources/*/fixtures/*.toml",
]

# Expressions may stand for any value, in keys of one's own, and inside texts.
RIGHT = [
    "[s3.bucket.a]\nversioning = '${var.on}'\nencryption = '${var.on ? \"aws:kms\" : \"AES256\"}'\nname = '${var.a}-B'",
    "[s3.bucket.a]\ntags = '${var.tags}'\nlifecycle = '${var.rules}'\ncors = '${var.cors}'\nownership = '${var.owner}'",
    "[s3.bucket.a.lifecycle.x]\nexpiration.days = '${var.n}'\ntransitions = [{ days = 1, storage_class = '${var.c}' }]",
    "[s3.bucket.a.tags]\n'${var.key}' = 'x'",
    "[s3.bucket.a]\nwhen = '${var.on}'\ndepends_on = 's3.bucket.b'",
    "[s3.bucket.a]\npublic_access_block = { block_public_acls = false }\nencryption = 'aws:kms'",
    "[var]\nlist = [1, 2]\n[var.x]\ntype = 'map(any)'\ndefault = {}",
    "[s3.bucket.a]\nfor_each = ['a']\nmoved_from = { a = 's3.bucket.b' }\n[s3.bucket.c]\nfor_each = '${var.x}'",
    "[s3.bucket.a.for_each.x]\ndays = 1\n[s3.bucket.a]\nwhen = '${each.value.days > 1}'",
    "[output]\na = true\nb = { value = [1] }",
    "[module.m]\nsource = './m'\nvar.x = [1]\nfor_each = '${var.x}'\nmoved_from = { 's3.bucket.a' = 's3.bucket.b' }",
    "[account.a]\nprofile = 'x'\n[env.prod]\naccount = 'a'\nbackend.key = 'k'\nvar.x = {}",
    "[lookup.s3.bucket.a]\ntags = { a = '${var.x}' }\n[lookup.iam.policy.p]\nname = 'x'\npath = '/y/'",
    "[remote.core]\npath = '../core'\nenv = '${env}'",
]

WRONG = [
    "[stack]\nregion = 'us-east-1'",
    "[stak]\nname = 'x'",
    "[s3.bukket.a]",
    "[s3.bucket.Upper]",
    "[s3.bucket.a]\nversionning = true",
    "[s3.bucket.a]\nversioning = 'yes'",
    "[s3.bucket.a]\nversioning = 'is ${var.on}'",
    "[s3.bucket.a]\nownership = 'Me'",
    "[s3.bucket.a]\nname = 'Has_Upper'",
    "[s3.bucket.a]\npolicy = {}",
    "[s3.bucket.a.lifecycle.x.expiration]\ndays = 0",
    "[s3.bucket.a]\nfor_each = 3",
    "[s3.bucket.a]\nfor_each = [['a']]",
    "[s3.bucket.a]\nwhen = 'yes'",
    "[s3.bucket.a]\nmoved_from = { a = ['s3.bucket.b'] }",
    "[iam.access_key.a]\nenv_file = { path = '.env', set = {} }",
    "[var.x]\ndefalt = 1",
    "[output.x]\nsensitive = true",
    "[env]\nprod = '${var.x}'",
    "[module.m]\nvar.x = 1",
    "[module.m]\nsource = './m'\nx = 1",
    "[account.a]\nrole_arn = 'arn:aws:iam::1:role/x'",
    "[lookup.s3.bucket.a]\nprotect = true",
    "[remote.core]\npaht = '../core'",
]


def main() -> int:
    schema = json.loads((ROOT / "schema/stack.schema.json").read_text())
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    paths = [path for pattern in FILES for path in sorted(ROOT.glob(pattern))]
    assert len(paths) > 40, f"only {len(paths)} files"
    right = [(str(path.relative_to(ROOT)), path.read_text()) for path in paths] + [(text, text) for text in RIGHT]
    problems = []
    for name, text in right:
        for error in validator.iter_errors(tomllib.loads(text)):
            problems.append(f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    problems += [f"fits, and should not: {text}" for text in WRONG if validator.is_valid(tomllib.loads(text))]
    print("\n".join(problems) or f"{len(right)} fit, {len(WRONG)} are refused")
    return 1 if problems else 0


sys.exit(main())
