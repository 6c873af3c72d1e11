"""Writes the lake side of the sample to S3, once: a Delta table of order lines
and an Iceberg table of parts. Ends at once where they are there already."""

import os
from datetime import date, timedelta
from decimal import Decimal

import boto3
import pyarrow as pa
from botocore.exceptions import ClientError
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.sql import SqlCatalog

ENDPOINT = os.environ["S3_ENDPOINT"]
KEY = os.environ["S3_ACCESS_KEY"]
SECRET = os.environ["S3_SECRET_KEY"]
REGION = "us-east-1"
BUCKET = "lake"
LINES, PARTS = 150_000, 2_000


def lineitem():
    numbers = range(LINES)
    return pa.table(
        {
            "order_id": pa.array([1 + n // 3 for n in numbers], pa.int64()),
            "line": pa.array([1 + n % 3 for n in numbers], pa.int32()),
            "part_id": pa.array([1 + n * 7 % PARTS for n in numbers], pa.int64()),
            "quantity": pa.array([1 + n % 50 for n in numbers], pa.int32()),
            "price": pa.array([Decimal(n % 90_000 + 1_000) / 100 for n in numbers], pa.decimal128(12, 2)),
            "shipped": pa.array([date(2024, 1, 2) + timedelta(days=n // 450) for n in numbers], pa.date32()),
        }
    )


def part():
    numbers = range(1, PARTS + 1)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "name": pa.array([f"part {n}" for n in numbers], pa.string()),
            "brand": pa.array([f"Brand#{n % 25}" for n in numbers], pa.string()),
            "retail": pa.array([Decimal(90_000 + n * 15) / 100 for n in numbers], pa.decimal128(12, 2)),
        }
    )


def make_bucket():
    s3 = boto3.client(
        "s3", endpoint_url=ENDPOINT, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name=REGION
    )
    try:
        s3.head_bucket(Bucket=BUCKET)
    except ClientError:
        s3.create_bucket(Bucket=BUCKET)
    return s3


def write_delta():
    options = {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_ALLOW_HTTP": "true",
        "aws_conditional_put": "etag",
    }
    location = f"s3://{BUCKET}/delta/lineitem"
    if not DeltaTable.is_deltatable(location, options):
        write_deltalake(location, lineitem(), storage_options=options)


def write_iceberg(s3):
    """The catalog is forgotten: the server reads the table's folder."""
    folder = "ice/part"
    if s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{folder}/metadata/").get("KeyCount"):
        return
    catalog = SqlCatalog(
        "seed",
        uri="sqlite:///:memory:",
        **{
            "s3.endpoint": ENDPOINT,
            "s3.access-key-id": KEY,
            "s3.secret-access-key": SECRET,
            "s3.region": REGION,
        },
    )
    catalog.create_namespace("ice")
    rows = part()
    table = catalog.create_table("ice.part", schema=rows.schema, location=f"s3://{BUCKET}/{folder}")
    table.append(rows)


def main():
    s3 = make_bucket()
    write_delta()
    write_iceberg(s3)
    print("the lake tables are there")


main()
