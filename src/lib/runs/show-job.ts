import type { StudentKey } from '../../db/student-keys.js'
import { UsageError } from '../core/errors.js'
import { findStudent } from '../core/find-student.js'
import { filterHistory, historyLine } from '../core/history.js'
import { isExpired, type Key } from '../core/key.js'
import { nextRefill } from '../core/refill.js'
import type { ShownKey, ShowResult } from '../core/results.js'
import { type Person, studentRef } from '../core/student.js'
import { count } from '../core/words.js'
import { refuseOtherAccount } from './listing.js'
import type { Session } from './session.js'

/** The rows of `show`, in their order. */
export class ShowJob {
  #student!: Person
  result!: ShowResult

  constructor(readonly session: Session) {}

  /**
   * Gathers what there is to know of one student: from OpenRouter what the keys may do now, the rest from the ledger.
   * @param words an address, an MQ ID, or a part of the name
   * @throws UsageError `no_such_student`, `ambiguous_student`; ClassKeysError `other_account`
   */
  async fetch(words: string): Promise<string> {
    const { ledger, signals } = this.session
    this.#student = findStudent(await ledger.students(), words)
    const { email } = this.#student
    const kept = await ledger.keysOf(email)
    const keys = await signals.orStop(Promise.all(kept.map((key) => this.#shown(key))))
    // That a key is not there may mean that this is not the account it is in, or no account at all.
    if (kept.some(({ goneAt }, i) => goneAt === null && !keys[i]?.exists))
      await refuseOtherAccount(ledger, (await this.session.fetchKeys(() => {})).keys)
    const history = filterHistory(await ledger.history(), { student: email }).map(historyLine)
    this.result = { student: studentRef(this.#student), keys, history }
    return count(keys.length, 'key')
  }

  /**
   * The secrets of the keys that are still there, one line each; written down before they are shown.
   * @throws UsageError `no_key`, `secret_not_here`
   */
  async reveal(): Promise<string[]> {
    const { ledger } = this.session
    const { email } = this.#student
    const there = new Set(this.result.keys.filter((key) => key.exists).map((key) => key.hash))
    if (there.size === 0) throw new UsageError('no_key', `${email} has no key that is still in OpenRouter.`)
    const keys = await ledger.keysOf(email)
    const held = keys.filter((key) => there.has(key.keyHash) && key.secret !== undefined)
    if (held.length === 0) {
      const message = `This ledger holds no secret of ${email}: the key was made elsewhere.`
      throw new UsageError('secret_not_here', message)
    }
    for (const key of held) await ledger.recordReveal(key.keyHash, new Date())
    return held.map((key) => `${key.keyName}  ${key.secret}`)
  }

  async #shown(kept: StudentKey): Promise<ShownKey> {
    const { openRouter } = this.session
    return shownKey(
      kept,
      kept.goneAt === null ? await openRouter.findKey(kept.keyHash) : undefined,
      new Date(),
    )
  }
}

function shownKey(
  { keyHash, keyName, secret, usage }: StudentKey,
  key: Key | undefined,
  now: Date,
): ShownKey {
  return {
    keyName: key?.name ?? keyName,
    hash: keyHash,
    exists: key !== undefined,
    disabled: key?.disabled ?? null,
    limit: key?.limit ?? null,
    limitRemaining: key?.limitRemaining ?? null,
    limitReset: key?.limitReset ?? null,
    refillsAt: nextRefill(key?.limitReset ?? null, now)?.toISOString() ?? null,
    expiresAt: key?.expiresAt ?? null,
    expired: key !== undefined && isExpired(key, now),
    usage: key?.usage ?? null,
    secretHere: secret !== undefined,
    usageOverTime: usage,
  }
}
