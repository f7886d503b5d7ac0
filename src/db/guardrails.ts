import { and, eq, isNull } from 'drizzle-orm'
import type { UnassignedKey } from '../lib/core/changes.js'
import type { GuardrailRef } from '../lib/core/creation.js'
import type { Db } from './connection.js'
import { isThere, logChanges } from './keys.js'
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

/** Writes down that OpenRouter has confirmed the guardrail of keys, which may be another one than they were made for. */
export function recordAssigned(
  db: Db,
  hashes: readonly string[],
  { id: guardrailId, name: guardrailName }: GuardrailRef,
  at: Date,
): void {
  const set = { guardrailId, guardrailName, assignedAt: at }
  for (const keyHash of hashes)
    db.update(keyGuardrail).set(set).where(eq(keyGuardrail.keyHash, keyHash)).run()
  const entry = { action: 'assign_guardrail', oldValue: null, newValue: guardrailName }
  logChanges(
    db,
    hashes.map((keyHash) => ({ keyHash, ...entry })),
    at,
  )
}
