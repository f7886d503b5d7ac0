/** How to reach an OpenRouter account. */
export interface Account {
  /** `https://openrouter.ai/api/v1`, or the address of a sandbox. */
  baseUrl: string
  managementKey: string
  /** The variable of the environment that the key was read from, for messages. */
  keyVariable?: 'OPENROUTER_PROVISIONING_KEY' | 'OPENROUTER_MANAGEMENT_KEY'
}
