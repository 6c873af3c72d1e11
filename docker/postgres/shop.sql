-- The operational side of the sample: customers and their orders, and a role
-- that may read them.

CREATE TABLE customers (
    id int PRIMARY KEY,
    name text NOT NULL,
    country text NOT NULL,
    since date NOT NULL
);

CREATE TABLE orders (
    id bigint PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers,
    status text NOT NULL,
    placed timestamptz NOT NULL
);

INSERT INTO customers
SELECT n, 'Customer ' || n, (ARRAY['NL', 'DE', 'FR', 'PL'])[1 + n % 4], date '2020-01-01' + n
FROM generate_series(1, 1000) AS n;

INSERT INTO orders
SELECT n, 1 + n % 1000, (ARRAY['new', 'paid', 'sent'])[1 + n % 3],
       timestamptz '2024-01-01 00:00+00' + n * interval '10 minutes'
FROM generate_series(1, 50000) AS n;

CREATE INDEX ON orders (customer_id);
ANALYZE;

CREATE ROLE reader LOGIN PASSWORD 'reader';
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
