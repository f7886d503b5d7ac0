import * as z from 'zod'
import type { Account } from './account.js'
import { json, Refusal } from './answers.js'
import { type Call, paging, type Route, readBody, readQuery } from './call.js'
import type { Assignment, Guardrail } from './guardrail-store.js'
import { labelOf } from './key-view.js'

const names = z.array(z.string()).min(1).nullable()
const flag = z.boolean().nullable()
const action = z.enum(['redact', 'block', 'flag'])

const rules = z
  .strictObject({
    description: z.string().max(1000).nullable(),
    limit_usd: z.number().min(0).nullable(),
    reset_interval: z.enum(['daily', 'weekly', 'monthly']).nullable(),
    include_byok_in_budgets: z.boolean(),
    allowed_models: names,
    ignored_models: names,
    allowed_providers: names,
    ignored_providers: names,
    allowed_data_regions: z.array(z.enum(['global', 'europe', 'us'])).nullable(),
    content_filters: z
      .array(z.strictObject({ pattern: z.string().min(1), action, label: z.string().max(100).nullish() }))
      .nullable(),
    content_filter_builtins: z
      .array(z.strictObject({ slug: z.string(), action, scan_scope: z.string().optional() }))
      .nullable(),
    enable_free_model_publication: flag,
    enable_free_model_training: flag,
    enable_paid_model_training: flag,
    enforce_zdr: flag,
    enforce_zdr_anthropic: flag,
    enforce_zdr_google: flag,
    enforce_zdr_openai: flag,
    enforce_zdr_other: flag,
    enforce_zdr_xai: flag,
  })
  .partial()

const creation = rules.extend({ name: z.string().min(1).max(200), workspace_id: z.uuid().optional() })
const listQuery = z.strictObject({ ...paging, workspace_id: z.uuid().optional() })
const someKeys = z.strictObject({ key_hashes: z.array(z.string().min(1)).min(1) })

/** The endpoints under `/guardrails`. */
export function guardrailRoutes({ guardrails, keys, workspaces, now }: Account): Route[] {
  function list(call: Call): Response {
    const { offset, limit, workspace_id } = readQuery(call, listQuery)
    const workspace = workspaces.find(workspace_id)
    if (workspace === undefined) throw new Refusal(404, 'workspace_id: no such workspace')
    const all = guardrails.of(workspace.id)
    return json({ data: all.slice(offset, offset + limit), total_count: all.length })
  }

  function create(call: Call): Response {
    const { workspace_id, ...wanted } = readBody(call, creation)
    const workspace = workspaces.find(workspace_id)
    if (workspace === undefined) throw new Refusal(400, 'workspace_id: no such workspace')
    return json({ data: guardrails.add({ ...wanted, workspace_id: workspace.id }, now()) }, 201)
  }

  function remove(call: Call): Response {
    guardrails.delete(find(call).id)
    return json({ deleted: true })
  }

  // Hashes that are no key's are left out of the count without a word: only the count tells.
  function assign(call: Call): Response {
    const { id } = find(call)
    const known = [...new Set(readBody(call, someKeys).key_hashes)].filter((hash) => keys.find(hash))
    for (const hash of known) guardrails.assign(id, hash, now())
    return json({ assigned_count: known.length })
  }

  function unassign(call: Call): Response {
    const { id } = find(call)
    const removed = readBody(call, someKeys).key_hashes.filter((hash) => guardrails.unassign(hash, id))
    return json({ unassigned_count: removed.length })
  }

  function listAssignments(call: Call, guardrailId?: string): Response {
    const { offset, limit } = readQuery(call, z.strictObject(paging))
    const all = guardrails.assignments(guardrailId)
    return json({ data: all.slice(offset, offset + limit).map(viewAssignment), total_count: all.length })
  }

  function viewAssignment({ id, keyHash, guardrailId, createdAt }: Assignment) {
    const key = keys.find(keyHash)
    return {
      id,
      key_hash: keyHash,
      guardrail_id: guardrailId,
      key_name: key?.name ?? '',
      key_label: key ? labelOf(key.secret) : '',
      assigned_by: null,
      created_at: createdAt,
    }
  }

  function find(call: Call): Guardrail {
    const guardrail = guardrails.find(call.params.id ?? '')
    if (guardrail === undefined) throw new Refusal(404, 'Guardrail not found')
    return guardrail
  }

  const one = /^\/guardrails\/(?<id>[^/]+)$/
  const itsKeys = /^\/guardrails\/(?<id>[^/]+)\/assignments\/keys$/
  return [
    { method: 'GET', path: /^\/guardrails$/, answer: list },
    { method: 'POST', path: /^\/guardrails$/, answer: create },
    { method: 'GET', path: /^\/guardrails\/assignments\/keys$/, answer: (call) => listAssignments(call) },
    { method: 'GET', path: one, answer: (call) => json({ data: find(call) }) },
    { method: 'DELETE', path: one, answer: remove },
    { method: 'GET', path: itsKeys, answer: (call) => listAssignments(call, find(call).id) },
    { method: 'POST', path: itsKeys, answer: assign },
    { method: 'POST', path: /^\/guardrails\/(?<id>[^/]+)\/assignments\/keys\/remove$/, answer: unassign },
  ]
}
