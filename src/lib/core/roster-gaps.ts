import type { Problem } from './errors.js'
import type { Usd } from './money.js'
import { fullName, type Student } from './student.js'

/**
 * A problem of the roster for each student who is to get a key and whose row does not say enough for it: no budget,
 * or an expiry that is over already.
 * @param given what the flags say instead of the roster: US dollars, and UTC with seconds
 */
export function rosterGaps(
  changes: readonly { kind: string; mqId: string }[],
  students: readonly Student[],
  { limit, expiresAt }: { limit: Usd | undefined; expiresAt: string | undefined },
  now: Date,
): Problem[] {
  const created = new Set(changes.flatMap(({ kind, mqId }) => (kind === 'create' ? [mqId] : [])))
  return students
    .filter(({ mqId }) => created.has(mqId))
    .flatMap(({ line, email, budget, expiresAt: expiry, ...student }) => {
      const who = `${fullName(student)} (${email})`
      const isOver = expiry !== undefined && Date.parse(expiry) <= now.getTime()
      return [
        ...(limit === undefined && budget === undefined
          ? [{ line, column: 'budget', message: `is empty: ${who}` }]
          : []),
        ...(expiresAt === undefined && isOver
          ? [{ line, column: 'expires_at', message: `is over already: ${who}` }]
          : []),
      ]
    })
}
