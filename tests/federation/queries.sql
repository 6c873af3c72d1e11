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
SELECT id, name FROM shop.customers WHERE name LIKE '%o%' AND name NOT LIKE 'customer 1_' ORDER BY id
SELECT id FROM shop.customers WHERE name LIKE 'back\\slash \%\_' OR name LIKE 'c!u%' ESCAPE '!' OR name ILIKE 'ZO%' ORDER BY id
SELECT id FROM shop.customers WHERE code LIKE 'c1%' ORDER BY id
SELECT id, balance * 2 - id, id % 4, id / 3, -id, abs(balance), round(balance / 3, 4) FROM shop.customers WHERE id * 2 + 1 > 9 ORDER BY id
SELECT id, CASE WHEN vip THEN balance ELSE 0.00 END, coalesce(balance, -1.00), nullif(id, 3), greatest(id, 7) FROM shop.customers ORDER BY id
SELECT id, length(name), substring(name, 2, 3), left(name, -2), right(name, 2), name || '!', replace(name, 'o', '0'), strpos(name, 'e'), reverse(name) FROM shop.customers ORDER BY id
SELECT id, since + 10, since - date '2020-01-01', since + interval '1 month', extract(year FROM since), date_part('doy', since) FROM shop.customers ORDER BY id
SELECT id, date_trunc('month', promised), extract(hour FROM promised), promised - timestamp '2024-01-01' FROM shop.orders WHERE promised > timestamp '2024-06-01' ORDER BY id
SELECT id, prefs ->> 'n', prefs -> 'nested' ->> 2 FROM shop.customers WHERE prefs ->> 'n' = '7'
SELECT state, count(*), sum(total), min(id), max(placed) FROM shop.orders GROUP BY state ORDER BY state
SELECT boxes, count(DISTINCT customer_id), count(*) FILTER (WHERE total > 500), (avg(total) * 7)::int, avg(boxes) > 1.5 FROM shop.orders GROUP BY boxes HAVING count(*) > 10 ORDER BY boxes
SELECT code, count(*) FROM shop.customers GROUP BY code ORDER BY count(*) DESC, code COLLATE "C" LIMIT 4
SELECT count(*), sum(id), sum(boxes), min(total), max(total), bool_and(boxes < 9), bool_or(boxes > 9), sum(weight) FROM shop.orders WHERE id < 0
SELECT count(*) FROM (SELECT count(*) FROM shop.orders) s
SELECT DISTINCT boxes, customer_id % 3 FROM shop.orders ORDER BY 1, 2
SELECT id, total FROM shop.orders ORDER BY total DESC, id LIMIT 5 OFFSET 3
SELECT id, promised FROM shop.orders ORDER BY promised NULLS FIRST, id DESC LIMIT 4
SELECT sum(id) FROM (SELECT id FROM shop.orders ORDER BY id LIMIT 10) s
SELECT c.id, s.n FROM shop.customers c LEFT JOIN (SELECT customer_id, count(*) AS n FROM shop.orders WHERE boxes = 2 GROUP BY customer_id) s ON s.customer_id = c.id ORDER BY c.id
SELECT c.id, s.n FROM shop.customers c LEFT JOIN (SELECT id, coalesce(boxes, 0) + 1 AS n FROM shop.orders WHERE total > 1000) s ON s.id = c.id * 8 ORDER BY c.id
SELECT c.id, o.id FROM shop.customers c FULL JOIN (SELECT * FROM shop.orders WHERE id > 195) o ON o.id = c.id + 180 ORDER BY c.id, o.id
SELECT c.id FROM shop.customers c WHERE c.id NOT IN (SELECT boxes FROM shop.orders) AND c.balance NOT IN (SELECT nullif(balance, 50) FROM shop.customers WHERE balance < 500) ORDER BY c.id
SELECT c.id FROM shop.customers c WHERE c.id IN (SELECT customer_id FROM shop.orders WHERE total > 1900) OR c.vip ORDER BY c.id
SELECT count(*) FROM shop.orders o WHERE o.total > (SELECT avg(i.total) FROM shop.orders i WHERE i.customer_id = o.customer_id)
SELECT id FROM shop.orders WHERE total > (SELECT max(balance) - 1000 FROM shop.customers) ORDER BY id
SELECT id, total FROM shop.orders WHERE id < 4 UNION ALL SELECT id, balance FROM shop.customers WHERE id < 4 ORDER BY 1, 2
SELECT c.vip, extract(year FROM o.placed AT TIME ZONE 'UTC'), sum(o.total * (1 - 0.05)) FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id GROUP BY 1, 2 ORDER BY 1, 2
SELECT i.flag, c.vip, count(*), sum(i.price) FROM lake.lineitem i JOIN shop.orders o ON o.id = i.order_id JOIN shop.customers c ON c.id = o.customer_id GROUP BY 1, 2 ORDER BY 1, 2
SELECT count(*), min(d), max(d), count(DISTINCT ts), min(tz) FROM shop.odd
SELECT id, i2 + 0, f8 > 0.05, bounded * 2, share + 1, "Mixed Case" || 'x' FROM shop.odd WHERE id > 1 ORDER BY id
SELECT id, extract(year FROM d) FROM shop.odd WHERE id = 2
SELECT id, rank() OVER (PARTITION BY customer_id ORDER BY total DESC), row_number() OVER (ORDER BY id DESC) FROM shop.orders ORDER BY id
SELECT id, lag(total) OVER w, lead(boxes, 2, 0) OVER w, first_value(total) OVER w, ntile(7) OVER w FROM shop.orders WINDOW w AS (ORDER BY id) ORDER BY id
SELECT id, sum(total) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING), count(*) FILTER (WHERE boxes > 1) OVER (PARTITION BY customer_id) FROM shop.orders ORDER BY id
SELECT * FROM (SELECT id, customer_id, row_number() OVER (PARTITION BY customer_id ORDER BY total DESC, id) AS n FROM shop.orders) s WHERE n <= 2 ORDER BY id
SELECT id, percent_rank() OVER (ORDER BY balance), upper(name), dense_rank() OVER (ORDER BY vip) FROM shop.customers ORDER BY 1
SELECT DISTINCT customer_id, date_trunc('month', promised), max(total) OVER (PARTITION BY customer_id) FROM shop.orders ORDER BY 1, 2
SELECT customer_id, rank() OVER (ORDER BY sum(total)) FROM shop.orders GROUP BY customer_id ORDER BY 1
SELECT o.id, rank() OVER (ORDER BY o.total), i.n FROM shop.orders o JOIN (SELECT order_id, count(*) AS n FROM lake.lineitem GROUP BY 1) i ON i.order_id = o.id ORDER BY 1
WITH s AS (SELECT customer_id, sum(total) AS t FROM shop.orders GROUP BY customer_id) SELECT c.id, c.name, s.t FROM shop.customers c JOIN s ON s.customer_id = c.id WHERE s.t = (SELECT max(t) FROM s)
WITH s AS (SELECT order_id, sum(price) AS t FROM lake.lineitem GROUP BY order_id) SELECT o.id, s.t FROM shop.orders o JOIN s ON s.order_id = o.id WHERE s.t > (SELECT avg(t) FROM s) ORDER BY o.id
WITH s AS (SELECT part_id, count(*) AS n FROM lake.lineitem GROUP BY part_id) SELECT a.part_id, a.n, b.n FROM s a JOIN s b ON b.part_id = a.part_id + 1 WHERE a.n > 3 ORDER BY a.part_id
WITH s AS (SELECT DISTINCT customer_id FROM shop.orders) SELECT id FROM shop.customers WHERE id IN (SELECT customer_id FROM s) UNION ALL SELECT customer_id + 1000 FROM s ORDER BY 1 LIMIT 7
SELECT o.id FROM shop.orders o WHERE o.total > (SELECT 1.2 * avg(x.total) FROM shop.orders x WHERE x.customer_id = o.customer_id) ORDER BY o.id
SELECT o.id, (SELECT count(*) FROM lake.lineitem l WHERE l.order_id = o.id) AS n FROM shop.orders o ORDER BY o.id
SELECT c.name, o.id, sum(l.quantity) FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id JOIN lake.lineitem l ON l.order_id = o.id WHERE o.id IN (SELECT order_id FROM lake.lineitem GROUP BY order_id HAVING sum(quantity) > 60) GROUP BY 1, 2 ORDER BY 2
SELECT o.id, l.line FROM shop.orders o JOIN lake.lineitem l ON l.order_id = o.id WHERE l.part_id IN (SELECT part_id FROM lake.lineitem GROUP BY part_id HAVING count(*) > 5) AND o.customer_id IN (SELECT customer_id FROM shop.orders GROUP BY 1 HAVING count(*) > 3) ORDER BY 1, 2
SELECT id, count(*) OVER (ORDER BY CASE WHEN since + 32 < date '2021-06-01' THEN 1 ELSE 2 END) FROM shop.customers ORDER BY 1
SELECT b.id, count(*) FROM shop.orders a RIGHT JOIN shop.orders b ON a.boxes = b.id WHERE (a.id <> 5 OR b.boxes < -1) AND b.id < 30 GROUP BY b.id ORDER BY 1
SELECT o.id, (SELECT max(x.id) FROM shop.orders x WHERE x.customer_id = o.id) FROM shop.orders o ORDER BY 1 LIMIT 0
