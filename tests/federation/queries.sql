SELECT id, name, balance FROM shop.customers WHERE id = 7
SELECT id FROM shop.customers WHERE balance >= 100.5 AND balance < 1500 ORDER BY id
SELECT id, name FROM shop.customers WHERE name IN ('customer 4', 'Zoë ☕', 'D''Arcy "Q"', 'back\slash %_') ORDER BY id
SELECT id FROM shop.customers WHERE code = 'c7' ORDER BY id
SELECT id, code FROM shop.customers WHERE code = 'c7   ' OR code = 'c12'
SELECT id FROM shop.customers WHERE name > 'customer 20' COLLATE "C" ORDER BY id
SELECT id FROM shop.customers WHERE NOT vip AND (balance IS NULL OR balance > 2000) ORDER BY id
SELECT id FROM shop.customers WHERE vip IS NOT TRUE AND tags IS NULL ORDER BY id
SELECT id FROM shop.customers WHERE since BETWEEN date '2020-06-01' AND date '2021-06-01' ORDER BY id
SELECT id FROM shop.customers WHERE token = md5('customer 5')::uuid
SELECT id, balance FROM shop.customers WHERE balance IS DISTINCT FROM 50 AND id NOT IN (1, 2, 3, 4, 5, 6) ORDER BY id LIMIT 4 OFFSET 2
SELECT id, state, total FROM shop.orders WHERE state = 'paid' AND total > 500 ORDER BY id LIMIT 7
SELECT id, placed FROM shop.orders WHERE placed < timestamptz '2024-01-05 00:00:00+02' ORDER BY id
SELECT id, promised FROM shop.orders WHERE promised >= timestamp '2024-03-01 00:00:00.5' AND boxes = 2 ORDER BY id LIMIT 5
SELECT id, weight FROM shop.orders WHERE weight > 10.5 AND weight < 12 ORDER BY id
SELECT boxes, count(*), sum(total), min(placed), max(promised) FROM shop.orders WHERE total <> 10.01 GROUP BY boxes ORDER BY boxes
SELECT c.id, count(*), sum(o.total) FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id WHERE c.vip AND o.boxes IN (1, 3) GROUP BY c.id ORDER BY c.id
SELECT c.id, o.id FROM shop.customers c LEFT JOIN shop.orders o ON o.customer_id = c.id AND o.total > 1900 WHERE c.id < 6 ORDER BY c.id, o.id
SELECT id FROM shop.customers c WHERE NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.customer_id = c.id AND o.boxes = 3) ORDER BY id
SELECT id FROM shop.orders WHERE customer_id IN (SELECT id FROM shop.customers WHERE vip) AND total < 300 ORDER BY id
SELECT id, (SELECT name FROM shop.customers c WHERE c.id = o.customer_id) FROM shop.orders o ORDER BY id LIMIT 3
SELECT id, i2, f4, bounded, iv, ip, span, ints, share, padded, short, "Mixed Case" FROM shop.odd WHERE id IN (1, 2, 3) ORDER BY id
SELECT id, d, ts, tz, t, j FROM shop.odd ORDER BY id
SELECT id FROM shop.odd WHERE d = '-infinity' OR ts < timestamp '0001-01-01 00:00:00' ORDER BY id
SELECT id FROM shop.odd WHERE padded = 'ab' OR short = 'xyz' OR "Mixed Case" = '' ORDER BY id
SELECT count(*) FROM shop.orders o1, shop.orders o2 WHERE o1.id = o2.id + 1 AND o1.customer_id = o2.customer_id + 1
