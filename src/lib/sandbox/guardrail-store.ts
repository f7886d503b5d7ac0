import { randomUUID } from 'node:crypto'
import { formatDate } from './times.js'

/** A guardrail as the API shows it. Of its rules only the names matter here: the sandbox runs no model. */
export interface Guardrail {
  id: string
  name: string
  workspace_id: string
  include_byok_in_budgets: boolean
  created_at: string
  updated_at: string | null
  [rule: string]: unknown
}

/** What a guardrail is made from. */
export interface GuardrailSeed {
  name: string
  workspace_id: string
  [rule: string]: unknown
}

/** That a key has a guardrail. */
export interface Assignment {
  id: string
  keyHash: string
  guardrailId: string
  createdAt: string
}

const NO_RULES = {
  description: null,
  limit_usd: null,
  reset_interval: null,
  allowed_models: null,
  ignored_models: null,
  allowed_providers: null,
  ignored_providers: null,
  allowed_data_regions: null,
  content_filters: null,
  content_filter_builtins: null,
  enable_free_model_publication: null,
  enable_free_model_training: null,
  enable_paid_model_training: null,
  enforce_zdr: null,
  enforce_zdr_anthropic: null,
  enforce_zdr_google: null,
  enforce_zdr_openai: null,
  enforce_zdr_other: null,
  enforce_zdr_xai: null,
}

/** The guardrails of the account, and which key has which: at most one. */
export class GuardrailStore {
  readonly #byId = new Map<string, Guardrail>()
  readonly #byKey = new Map<string, Assignment>()

  /** Finds a guardrail by its id. */
  find(id: string): Guardrail | undefined {
    return this.#byId.get(id)
  }

  /** Gives a workspace's guardrails in the order of their creation. */
  of(workspaceId: string): Guardrail[] {
    return [...this.#byId.values()].filter((guardrail) => guardrail.workspace_id === workspaceId)
  }

  /** Adds a guardrail. */
  add(seed: GuardrailSeed, now: Date): Guardrail {
    const made = { id: randomUUID(), created_at: formatDate(now), updated_at: null }
    const guardrail: Guardrail = { ...NO_RULES, include_byok_in_budgets: false, ...seed, ...made }
    this.#byId.set(guardrail.id, guardrail)
    return guardrail
  }

  /** Deletes a guardrail; the keys that had it have none then. */
  delete(id: string): void {
    this.#byId.delete(id)
    for (const { keyHash } of this.assignments(id)) this.#byKey.delete(keyHash)
  }

  /** Gives all assignments, or those of one guardrail, in the order in which they were made. */
  assignments(guardrailId?: string): Assignment[] {
    const all = [...this.#byKey.values()]
    return guardrailId === undefined
      ? all
      : all.filter((assignment) => assignment.guardrailId === guardrailId)
  }

  /** The guardrail that a key has. */
  assignedTo(keyHash: string): string | undefined {
    return this.#byKey.get(keyHash)?.guardrailId
  }

  /** Gives a key a guardrail instead of any other that it had. */
  assign(guardrailId: string, keyHash: string, now: Date): void {
    if (this.assignedTo(keyHash) === guardrailId) return
    this.#byKey.delete(keyHash)
    this.#byKey.set(keyHash, { id: randomUUID(), keyHash, guardrailId, createdAt: formatDate(now) })
  }

  /** Takes a key's guardrail away: any, or only the one named. Gives whether there was one to take. */
  unassign(keyHash: string, guardrailId: string | undefined = this.assignedTo(keyHash)): boolean {
    return this.assignedTo(keyHash) === guardrailId && this.#byKey.delete(keyHash)
  }
}
