import { and, eq, inArray, isNull } from 'drizzle-orm'
import type { GuardrailRef } from '../lib/core/creation.js'
import type { UnassignedKey } from '../lib/core/provision-plan.js'
import type { Db } from './connection.js'
import { isThere } from './keys.js'
import { key, keyGuardrail, keyState } from './tables.js'

/** Writes down which guardrail a new key is to have; OpenRouter does not know it yet. */
export function wishGuardrail(db: Db, keyHash: string, { id, name }: GuardrailRef): void {
  db.insert(keyGuardrail)
    .values({ keyHash, guardrailId: id, guardrailName: name, assignedAt: null })
    .onConflictDoUpdate({
      target: keyGuardrail.keyHash,
      set: { guardrailId: id, guardrailName: name, assignedAt: null },
    })
    .run()
}

/** The keys whose guardrail OpenRouter has not confirmed, and that are still there. */
export function unassignedKeys(db: Db): UnassignedKey[] {
  const rows = db
    .select({ hash: keyGuardrail.keyHash, id: keyGuardrail.guardrailId, name: keyGuardrail.guardrailName })
    .from(keyGuardrail)
    .innerJoin(key, eq(key.keyHash, keyGuardrail.keyHash))
    .leftJoin(keyState, eq(keyState.keyHash, keyGuardrail.keyHash))
    .where(and(isNull(keyGuardrail.assignedAt), isThere))
    .all()
  return rows.map(({ hash, id, name }) => ({ hash, guardrail: { id, name } }))
}

/** The guardrails that keys were made with, by hash. */
export function readGuardrails(db: Db): Map<string, GuardrailRef> {
  const rows = db.select().from(keyGuardrail).all()
  return new Map(
    rows.map(({ keyHash, guardrailId: id, guardrailName: name }) => [keyHash, { id, name }] as const),
  )
}

/** Writes down that OpenRouter has confirmed the guardrails of keys. */
export function markAssigned(db: Db, hashes: readonly string[], at: Date): void {
  for (let i = 0; i < hashes.length; i += 500) {
    db.update(keyGuardrail)
      .set({ assignedAt: at })
      .where(inArray(keyGuardrail.keyHash, hashes.slice(i, i + 500)))
      .run()
  }
}
