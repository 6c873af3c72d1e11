// The queries through node-postgres: unnamed once, then as a named statement
// until it has run seven times; text and binary results.
//
//   node client.js queries.txt      (the server: PGHOST and the like)

const fs = require('fs')
const { Client } = require('pg')

const isInteger = (type) => type === 'int4' || type === 'int8'

function parameter (type, text) {
  if (text === '\\N') return null
  if (isInteger(type)) return Number(text)
  if (type === 'float8') return Number(text)
  if (type === 'bool') return text === 't'
  if (type === 'bytea') return Buffer.from(text.slice(2), 'hex')
  if (type === 'int4[]') return text.slice(1, -1).split(',').map(Number)
  return text
}

function queries (path) {
  const found = []
  for (const line of fs.readFileSync(path, 'utf8').split('\n')) {
    const word = line.split(' ', 1)[0]
    const rest = line.slice(word.length + 1)
    const query = found[found.length - 1]
    if (word === 'query') found.push({ name: rest, params: [], rows: [] })
    else if (word === 'sql') query.sql = rest
    else if (word === 'param') {
      const type = rest.split(' ', 1)[0]
      query.params.push(parameter(type, rest.slice(type.length + 1)))
    } else if (word === 'row') query.rows.push(rest)
  }
  return found
}

// Every value as the server wrote it: the driver's own types lose microseconds
// and digits.
const asWritten = { getTypeParser: () => (value) => value }

async function main (path) {
  const client = new Client({ options: '-c TimeZone=UTC' })
  await client.connect()
  const all = queries(path)
  let wrong = 0
  for (const query of all) {
    for (let turn = 0; turn < 8; turn++) {
      const result = await client.query({
        name: turn === 0 ? undefined : query.name,
        text: query.sql,
        values: query.params,
        rowMode: 'array',
        types: asWritten
      })
      const found = result.rows.map((row) => row.map((value) => value ?? '\\N').join('\t'))
      if (JSON.stringify(found) !== JSON.stringify(query.rows)) {
        wrong++
        console.log(`${query.name}, execution ${turn}:\n  expected`, query.rows, '\n  found   ', found)
      }
    }
    // The driver's own types, from the column types that the server declares.
    const typed = await client.query(query.sql, query.params)
    if (typed.rows.length !== query.rows.length) {
      wrong++
      console.log(`${query.name}: ${typed.rows.length} rows with types`)
    }
    // Binary: the same number of rows, and no error from the driver's decoders.
    const binary = await client.query({ text: query.sql, values: query.params, binary: true })
    if (binary.rows.length !== query.rows.length) {
      wrong++
      console.log(`${query.name}: ${binary.rows.length} rows in binary`)
    }
  }
  await client.end()
  console.log(`${all.length} queries`)
  process.exitCode = wrong > 0 ? 1 : 0
}

main(process.argv[2]).catch((error) => {
  // an open connection would keep the program alive
  console.error(error)
  process.exit(1)
})
