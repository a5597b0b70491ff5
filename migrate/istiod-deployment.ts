/** Name of the Deployment of istiod, as Istio's charts and operator give it. @param revision '' and undefined = it has none */
export function istiodDeployment(revision: string | undefined): string {
  return revision === undefined || revision === '' ? 'istiod' : `istiod-${revision}`;
}
