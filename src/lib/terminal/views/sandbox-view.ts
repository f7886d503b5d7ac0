import type { SandboxResult } from '../../core/results.js'

/** What `sandbox` shows when it is ready. */
export function sandboxView({ url, managementKey }: SandboxResult): string[] {
  return [`export OPENROUTER_BASE_URL=${url}`, `export OPENROUTER_PROVISIONING_KEY=${managementKey}`]
}
