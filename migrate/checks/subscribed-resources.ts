import { fieldOf } from '../scan/mesh-config.ts';
import { sourceCheck } from './check.ts';

export const subscribedResources = sourceCheck({
  code: 'SUBSCRIBED_RESOURCES',
  severities: ['warning'],
  finds: '`subscribedResources`, which made Pilot 1.4 and 1.5 ask for synthetic ServiceEntries.',
  left: [
    {
      from: 9,
      what: 'reads it nowhere: the synthetic ServiceEntries that Galley made of Kubernetes Services are not asked for; istiod reads those Services itself',
    },
  ],
  fix: 'Remove it. A server of another registry has to serve its services as ServiceEntries.',
  source: 'Istio 1.4 and 1.5 pilot/pkg/bootstrap, subscribedResources; searched in 1.9, 1.20 and master',
  look({ source }) {
    const field = fieldOf(source, 'subscribedResources');
    if (!(field in source.json)) return undefined;
    const fix =
      'remove it; if the server is not Galley, see that it serves its services in istio/networking/v1alpha3/serviceentries too (isthmus check --direct says so)';
    return { at: source.at([field], true), message: 'subscribedResources is read by no Pilot since 1.6', fix };
  },
});
