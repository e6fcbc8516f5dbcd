// Gives the workspace its default data collection rule.
param location string
param tags object
param workspaceName string
param ruleId string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    defaultDataCollectionRuleResourceId: ruleId
  }
}
