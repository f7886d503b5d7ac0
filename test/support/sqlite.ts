import Database from 'better-sqlite3'

/** One row as SQLite gives it. */
export type Row = Record<string, string | number | null>

/** Asks a database something, as a program that knows nothing of this one would. */
export function query(path: string, sql: string, ...parameters: unknown[]): Row[] {
  const sqlite = new Database(path, { readonly: true, fileMustExist: true })
  try {
    return sqlite.prepare<unknown[], Row>(sql).all(...parameters)
  } finally {
    sqlite.close()
  }
}

/** Runs statements on a database, and makes the file if it is not there. */
export function execute(path: string, sql: string): void {
  const sqlite = new Database(path)
  try {
    sqlite.pragma('foreign_keys = OFF')
    sqlite.exec(sql)
  } finally {
    sqlite.close()
  }
}

/** The names of a table's columns, in their order. */
export function columnsOf(path: string, table: string): string[] {
  return query(path, 'SELECT name FROM pragma_table_info(?) ORDER BY cid', table).map((row) =>
    String(row.name),
  )
}
