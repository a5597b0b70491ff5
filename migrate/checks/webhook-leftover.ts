import { listOf, textOf, valueAt } from '../scan/json.ts';
import type { Check } from './check.ts';

export const webhookLeftover: Check = {
  code: 'WEBHOOK_LEFTOVER',
  severities: ['warning'],
  finds: 'A ValidatingWebhookConfiguration that asks Galley.',
  left: [
    {
      from: 9,
      what: 'has a webhook of its own; this one still asks Galley, and once that is gone nobody can write Istio’s resources where its failurePolicy is Fail',
    },
  ],
  fix: 'Delete it before Galley.',
  source: 'Istio 1.1 to 1.5 charts/galley; Kubernetes failurePolicy',
  applicable: ({ objects }) => objects.some(({ kind }) => kind === 'ValidatingWebhookConfiguration'),
  run: ({ objects }) =>
    objects
      .filter(({ kind }) => kind === 'ValidatingWebhookConfiguration')
      .flatMap((object) => {
        const index = listOf(object.json['webhooks']).findIndex((webhook) =>
          /galley/.test(textOf(valueAt(webhook, ['clientConfig', 'service', 'name'])) ?? ''),
        );
        if (index < 0) return [];
        const at = object.at(['webhooks', index, 'clientConfig', 'service', 'name']);
        const fix = `delete it before Galley: kubectl delete validatingwebhookconfiguration ${object.name}`;
        return [{ at, message: `ValidatingWebhookConfiguration ${object.name} asks Galley`, fix }];
      }),
};
