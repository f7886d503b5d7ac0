import * as z from 'zod'
import type { Account } from './account.js'
import { json, Refusal } from './answers.js'
import { type Call, paging, type Route, readBody, readQuery } from './call.js'

const creation = z.strictObject({
  name: z.string().min(1).max(100),
  slug: z
    .string()
    .max(50)
    .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'must be lowercase letters and digits with single hyphens between'),
  description: z.string().max(500).nullable().optional(),
  default_text_model: z.string().nullable().optional(),
  default_image_model: z.string().nullable().optional(),
  default_provider_sort: z.string().nullable().optional(),
  is_observability_io_logging_enabled: z.boolean().optional(),
  is_observability_broadcast_enabled: z.boolean().optional(),
  is_data_discount_logging_enabled: z.boolean().optional(),
  io_logging_sampling_rate: z.number().min(0.0001).max(1).optional(),
  io_logging_api_key_ids: z.array(z.int()).nullable().optional(),
})

/** The endpoints under `/workspaces`. */
export function workspaceRoutes({ workspaces, now }: Account): Route[] {
  function list(call: Call): Response {
    const { offset, limit } = readQuery(call, z.strictObject(paging))
    const all = workspaces.all()
    return json({ data: all.slice(offset, offset + limit), total_count: all.length })
  }

  function create(call: Call): Response {
    const wanted = readBody(call, creation)
    if (workspaces.all().some(({ slug }) => slug === wanted.slug))
      throw new Refusal(400, 'slug: already taken')
    return json({ data: workspaces.add(wanted, now()) }, 201)
  }

  return [
    { method: 'GET', path: /^\/workspaces$/, answer: list },
    { method: 'POST', path: /^\/workspaces$/, answer: create },
  ]
}
